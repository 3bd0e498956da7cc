{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='landing_id',
        on_schema_change='fail'
    )
}}

with landings as (

    select
        landing_id,
        fetched_at,
    from {{ ref('landings') }}
    {%- if is_incremental() %}
    where landing_id not in (select landing_id from {{ this }})
    {%- endif %}

),

sightings as (

    select * from {{ ref('sightings') }}

),

unprofiled as (

    select
        landings.landing_id,
        landings.fetched_at,
        {% for name in numeric_names() -%}
        {{ name }},
        {% endfor %}
    from sightings
    inner join landings
        on sightings.landing_id = landings.landing_id

),

long as (

    unpivot unprofiled
    on {{ numeric_names() | join(', ') }}
    into name feature value reading

),

profiled as (

    select
        landing_id,
        fetched_at,
        feature,
        count(*) as readings,
        min(reading) as minimum,
        quantile_cont(reading, 0.05) as quantile_05,
        quantile_cont(reading, 0.25) as quantile_25,
        quantile_cont(reading, 0.5) as quantile_50,
        quantile_cont(reading, 0.75) as quantile_75,
        quantile_cont(reading, 0.95) as quantile_95,
        max(reading) as maximum,
        avg(reading) as mean,
        stddev_samp(reading) as standard_deviation,
    from long
    group by landing_id, fetched_at, feature

)

select * from profiled
