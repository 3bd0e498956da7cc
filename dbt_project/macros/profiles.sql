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


{# The standard deviation of a sample, from such a struct. #}
{% macro deviation_of(summary, readings) -%}
    case
        when {{ readings }} > 1
            then
                sqrt(
                    (
                        {{ readings }} * {{ summary }}.squares
                        - {{ summary }}.total * {{ summary }}.total
                    )
                    / ({{ readings }} * ({{ readings }} - 1))
                )
    end
{%- endmacro %}
