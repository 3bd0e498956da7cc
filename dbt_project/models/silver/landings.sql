{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='landing_id',
        on_schema_change='fail',
        pre_hook="{{ add_column('adapter', 'varchar', 'none') }}"
    )
}}

-- depends_on: {{ ref('sightings') }}
-- depends_on: {{ ref('quarantine') }}
-- Built last in silver: a landing that is in here is finished, whatever died
-- before or after.
with pending_landings as (

    select * from {{ ref('pending_landings') }}

),

checked_rows as (

    select * from {{ ref('checked_rows') }}

),

observations as (

    select * from {{ ref('observations') }}

),

firsts as (

    select
        first_landing_id as landing_id,
        count(*) as new_rows,
    from observations
    group by first_landing_id

),

arrived as (

    select
        pending_landings.landing_id,
        pending_landings.source,
        pending_landings.group_number,
        any_value(checked_rows.batch_number) as batch_number,
        pending_landings.fetched_at,
        count(checked_rows.position) as landed_rows,
        count(*) filter (where checked_rows.is_accepted) as accepted_rows,
        count(*) filter (where not checked_rows.is_accepted)
            as quarantined_rows,
        any_value(checked_rows.request_id) as request_id,
        any_value(checked_rows.sha256) as sha256,
        any_value(checked_rows.url) as url,
        any_value(checked_rows.client_version) as client_version,
        any_value(checked_rows.raw_key) as raw_key,
        any_value(checked_rows.adapter) as adapter,
    from pending_landings
    left join checked_rows
        on pending_landings.landing_id = checked_rows.landing_id
    group by
        pending_landings.landing_id,
        pending_landings.source,
        pending_landings.group_number,
        pending_landings.fetched_at

),

{% if is_incremental() -%}
-- Landings of before whose rows have turned out to be older than they are.
overtaken as (

    select known.* exclude (new_rows)
    from {{ this }} as known
    left join firsts
        on known.landing_id = firsts.landing_id
    where
        known.new_rows != coalesce(firsts.new_rows, 0)
        and known.landing_id not in (select landing_id from arrived)

),

{% endif -%}
changed as (

    select * from arrived
    {%- if is_incremental() %}
    union all by name
    select * from overtaken
    {%- endif %}

),

counted as (

    select
        changed.*,
        coalesce(firsts.new_rows, 0) as new_rows,
    from changed
    left join firsts
        on changed.landing_id = firsts.landing_id

)

select * from counted
