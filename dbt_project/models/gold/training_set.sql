{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='row_id',
        on_schema_change='fail'
    )
}}

with observations as (

    select * from {{ ref('observations') }}

),

changed as (

    select observations.*
    from observations
    {%- if is_incremental() %}
    left join {{ this }} as known
        on observations.row_id = known.row_id
    where
        known.row_id is null
        or observations.first_landing_id != known.first_landing_id
    {%- endif %}

),

hashed as (

    select
        *,
        {{ content_hash(
            column_names(with_label=false), salt=var('split_salt')
        ) }} as side,
    from changed

),

divided as (

    select
        row_id,
        case
            when {{ percent_point('side') }} < {{ var('test_percent') }}
                then 'test'
            else 'train'
        end as split,
        {% for name in column_names() -%}
        {{ name }},
        {% endfor -%}
        first_landing_id,
        first_seen_at,
    from hashed

)

select * from divided
