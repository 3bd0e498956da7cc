{{ config(incremental_strategy='replace') }}

with choices (soil_type, soil_type_name, climatic_zone, geologic_zone) as (

    values
    {%- for choice in contract_choices('soil_type') %}
    (
        '{{ choice.value }}',
        '{{ choice.label }}',
        '{{ choice.properties.climatic_zone }}',
        '{{ choice.properties.geologic_zone }}'
    )
    {{- ',' if not loop.last }}
    {%- endfor %}

)

select * from choices
