{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='row_id',
        on_schema_change='fail'
    )
}}

with checked_rows as (

    select * from {{ ref('checked_rows') }}

),

firsts as (

    select
        row_id,
        landing_id as first_landing_id,
        position as first_position,
        fetched_at as first_seen_at,
        {% for name in column_names() -%}
        {{ name }},
        {% endfor %}
    from checked_rows
    where is_accepted
    qualify
        row_number() over (
            partition by row_id
            order by fetched_at, landing_id, position
        ) = 1

){% if is_incremental() %},

-- A landing may arrive late: then it, not the one before it in the lake, is
-- where its rows were seen first.
earlier as (

    select firsts.*
    from firsts
    left join {{ this }} as known
        on firsts.row_id = known.row_id
    where
        known.row_id is null
        or (
            firsts.first_seen_at,
            firsts.first_landing_id,
            firsts.first_position
        ) < (
            known.first_seen_at,
            known.first_landing_id,
            known.first_position
        )

)

select * from earlier
{%- else %}

select * from firsts
{%- endif %}
