{{ config(incremental_strategy='replace') }}

with choices (wilderness_area, wilderness_area_name) as (

    values
    {%- for choice in contract_choices('wilderness_area') %}
    ('{{ choice.value }}', '{{ choice.label }}')
    {{- ',' if not loop.last }}
    {%- endfor %}

)

select * from choices
