{{
    config(
        materialized='increment',
        origin='landing_id'
    )
}}

-- depends_on: {{ ref('pending_landings') }}
-- depends_on: {{ ref('landings') }}
{%- set quantiles = {
    '05': 0.05, '25': 0.25, '50': 0.5, '75': 0.75, '95': 0.95,
} %}
with sightings as (

    select
        landing_id,
        fetched_at,
        {% for name in column_names() -%}
        {{ name }},
        {% endfor %}
    from {{ ref('sightings') }}
    {%- if is_increment() %}
    where {{ is_pending('landing_id') }}
    {%- endif %}

),

reference as (

    select * from {{ ref('reference_profiles') }}

),

-- Everything below is made from how often each value is in a response.
numbers as (

    unpivot (
        select landing_id, fetched_at, {{ numeric_names() | join(', ') }}
        from sightings
    )
    on {{ numeric_names() | join(', ') }}
    into name feature value reading

),

counted as (

    select
        landing_id,
        fetched_at,
        feature,
        reading,
        count(*) as readings,
    from numbers
    group by landing_id, fetched_at, feature, reading

),

cumulated as (

    select
        *,
        sum(readings) over up_to as readings_up_to,
        sum(readings) over whole as readings_in_all,
    from counted
    window
        whole as (partition by landing_id, feature),
        up_to as (partition by landing_id, feature order by reading)

),

-- The reference where it stands at a value, and just below it.
placed as (

    select
        cumulated.*,
        coalesce(up_to.bin, 0) as bin,
        coalesce(up_to.cumulative_share, 0) as reference_up_to,
        coalesce(below.cumulative_share, 0) as reference_below,
    from cumulated
    asof left join reference as up_to
        on
            cumulated.feature = up_to.feature
            and cumulated.reading >= up_to.reading
    asof left join reference as below
        on
            cumulated.feature = below.feature
            and cumulated.reading > below.reading

),

described as (

    select
        landing_id,
        fetched_at,
        feature,
        sum(readings)::bigint as readings,
        min(reading) as minimum,
        {% for name, share in quantiles.items() -%}
        {{ quantile_of_counts(share) }} as quantile_{{ name }},
        {% endfor -%}
        max(reading) as maximum,
        sum(readings * reading) / sum(readings) as mean,
        {{ deviation_of_counts() }} as standard_deviation,
        -- Between two values of the response only the reference rises.
        max(greatest(
            abs(readings_up_to / readings_in_all - reference_up_to),
            abs(
                (readings_up_to - readings) / readings_in_all
                - reference_below
            )
        )) as ks_distance,
    from placed
    group by landing_id, fetched_at, feature

),

names as (

    unpivot (
        select landing_id, fetched_at, {{ choice_names() | join(', ') }}
        from sightings
    )
    on {{ choice_names() | join(', ') }}
    into name feature value choice

),

binned as (

    select
        landing_id,
        fetched_at,
        feature,
        bin,
        sum(readings) as readings,
    from placed
    group by landing_id, fetched_at, feature, bin
    union all
    select
        names.landing_id,
        names.fetched_at,
        names.feature,
        -- Together, those that the reference has not.
        coalesce(reference.bin, -1) as bin,
        count(*) as readings,
    from names
    left join reference
        on
            names.feature = reference.feature
            and names.choice = reference.choice
    group by all

),

profiled_features as (

    select
        landing_id,
        fetched_at,
        feature,
        sum(readings)::bigint as readings,
    from binned
    group by landing_id, fetched_at, feature

),

reference_bins as (

    select
        feature,
        bin,
        sum(readings) as readings,
        sum(sum(readings)) over (partition by feature) as readings_in_all,
        count(*) over (partition by feature) as bins,
        any_value(reference_snapshot_id) as reference_snapshot_id,
    from reference
    group by feature, bin

),

-- Half a row in each bin keeps an empty one from being infinitely far.
compared as (

    select
        features.landing_id,
        features.feature,
        any_value(reference_bins.reference_snapshot_id)
            as reference_snapshot_id,
        sum(
            (
                (coalesce(binned.readings, 0) + 0.5)
                / (features.readings + 0.5 * reference_bins.bins)
                - (reference_bins.readings + 0.5)
                / (reference_bins.readings_in_all + 0.5 * reference_bins.bins)
            )
            * ln(
                (coalesce(binned.readings, 0) + 0.5)
                / (features.readings + 0.5 * reference_bins.bins)
                / (reference_bins.readings + 0.5)
                * (reference_bins.readings_in_all + 0.5 * reference_bins.bins)
            )
        ) as psi,
    from profiled_features as features
    inner join reference_bins
        on features.feature = reference_bins.feature
    left join binned
        on
            features.landing_id = binned.landing_id
            and features.feature = binned.feature
            and reference_bins.bin = binned.bin
    group by features.landing_id, features.feature

),

profiled as (

    select
        features.landing_id,
        features.fetched_at,
        features.feature,
        features.readings,
        described.minimum,
        {% for name in quantiles -%}
        described.quantile_{{ name }},
        {% endfor -%}
        described.maximum,
        described.mean,
        described.standard_deviation,
        compared.psi,
        case
            when compared.psi is not null then described.ks_distance
        end as ks_distance,
        compared.reference_snapshot_id,
    from profiled_features as features
    left join described
        on
            features.landing_id = described.landing_id
            and features.feature = described.feature
    left join compared
        on
            features.landing_id = compared.landing_id
            and features.feature = compared.feature

)

select * from profiled
