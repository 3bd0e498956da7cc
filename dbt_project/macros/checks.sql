{#
    A value as the contract types it, or null where it does not fit.
    A cast alone will not do: try_cast('2.7' as integer) is 3.
#}
{% macro typed(column) %}
    {%- set value = column.source_name -%}
    {%- if column.kind == 'integer' -%}
        case
            when
                regexp_full_match({{ value }}, '-?\d+')
                and try_cast({{ value }} as bigint)
                between {{ column.minimum }} and {{ column.maximum }}
                then try_cast({{ value }} as integer)
        end
    {%- else -%}
        case
            when
                {{ value }} in ({{ quoted(column['values']) }})
                then {{ value }}
        end
    {%- endif -%}
{% endmacro %}


{# Why a value does not fit, as reason:Column of the source; null if it fits. #}
{% macro reason(column, values) %}
    {%- set value = values ~ '.' ~ column.source_name -%}
    case
        when trim(coalesce({{ value }}, '')) = ''
            then 'missing:{{ column.source_name }}'
        {% if column.kind == 'integer' -%}
        when not regexp_full_match({{ value }}, '-?\d+')
            then 'not_an_integer:{{ column.source_name }}'
        when
            try_cast({{ value }} as bigint)
            not between {{ column.minimum }} and {{ column.maximum }}
            or try_cast({{ value }} as bigint) is null
            then 'out_of_range:{{ column.source_name }}'
        {%- else -%}
        when {{ value }} not in ({{ quoted(column['values']) }})
            then 'not_allowed:{{ column.source_name }}'
        {%- endif %}
    end
{% endmacro %}


{# The names of the contract's columns, with the label unless told not to. #}
{% macro column_names(with_label=true) %}
    {{- return(
        contract_columns() | selectattr('is_label', 'in', [false, with_label])
        | map(attribute='name') | list
    ) -}}
{% endmacro %}


{#
    The identity of a row's content. The parts are canonical: integers without
    leading zeros, names from an enumeration, none of which holds a bar.
#}
{% macro content_hash(names, salt=none) %}
    {%- set parts = (["'" ~ salt ~ "'"] if salt else []) + names -%}
    md5(concat_ws('|', {{ parts | join(', ') }}))
{%- endmacro %}


{% macro quoted(values) -%}
    {%- for value in values -%}
        '{{ value }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{# The names of the contract's integers, the label included. #}
{% macro numeric_names() %}
    {{- return(
        contract_columns() | selectattr('kind', 'equalto', 'integer')
        | map(attribute='name') | list
    ) -}}
{% endmacro %}
