{{
    config(
        materialized='increment',
        origin='landing_id'
    )
}}

-- depends_on: {{ ref('pending_landings') }}
-- depends_on: {{ ref('landings') }}
with unprofiled as (

    select
        landing_id,
        fetched_at,
        {% for name in numeric_names() -%}
        {{ name }},
        {% endfor %}
    from {{ ref('sightings') }}
    {%- if is_increment() %}
    where {{ is_pending('landing_id') }}
    {%- endif %}

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
