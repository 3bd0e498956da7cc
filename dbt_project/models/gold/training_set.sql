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

    select *
    from observations
    {%- if is_incremental() %}
    where
        row_id || first_landing_id
        not in (select row_id || first_landing_id from {{ this }})
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
