{#
    Gives an incremental table of a lake that is older than the column that
    column, with the value that all its rows had: nothing is built anew.
#}
{% macro add_column(name, type, value) %}
    {%- set known = adapter.get_columns_in_relation(this)
        | map(attribute='name') | list if execute and is_incremental() -%}
    {%- if known and name not in known -%}
        alter table {{ this }} add column {{ name }} {{ type }}
        default '{{ value }}'
    {%- endif -%}
{% endmacro %}
