{#
    What describes a column of integers, in one struct. Its sums are integers,
    so that it does not depend on the order in which rows are read.
#}
{% macro summary_of(name, shares) -%}
    struct_pack(
        minimum := min({{ name }}),
        quantiles := quantile_cont({{ name }}, {{ shares }}),
        maximum := max({{ name }}),
        total := sum({{ name }}),
        squares := sum({{ name }}::bigint * {{ name }})
    )
{%- endmacro %}

