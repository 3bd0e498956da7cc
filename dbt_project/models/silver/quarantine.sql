{{
    config(
        origin='landing_id',
        pre_hook="{{ point_bronze_at_refused(ref('sightings')) }}"
    )
}}

-- depends_on: {{ ref('sightings') }}

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
