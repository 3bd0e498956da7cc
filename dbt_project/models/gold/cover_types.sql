{{ config(incremental_strategy='replace') }}

with choices (cover_type, cover_type_name) as (

    values
    {%- for choice in contract_choices('cover_type') %}
    ({{ choice.value }}, '{{ choice.label }}')
    {{- ',' if not loop.last }}
    {%- endfor %}

)

select * from choices
