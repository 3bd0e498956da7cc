{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='landing_id',
        on_schema_change='fail'
    )
}}

with checked_rows as (

    select * from {{ ref('checked_rows') }}

),

refused as (

    select
        landing_id,
        position,
        source,
        group_number,
        batch_number,
        fetched_at,
        reasons,
        source_values,
    from checked_rows
    where not is_accepted

)

select * from refused
