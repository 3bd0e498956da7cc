{{
    config(
        origin='landing_id'
    )
}}

-- depends_on: {{ ref('pending_landings') }}
-- depends_on: {{ ref('landings') }}
{%- set quantiles = {
    '05': 0.05, '25': 0.25, '50': 0.5, '75': 0.75, '95': 0.95,
} %}
{%- set features = column_names() %}
with sightings as (

    select * from {{ ref('sightings') }}
    {%- if is_incremental() %}
    where {{ is_pending('landing_id') }}
    {%- endif %}

),

-- From here on a landing and a feature are small numbers: text costs more than
-- the values themselves where each is counted.
responses as (

    select
        landing_id,
        any_value(fetched_at) as fetched_at,
        count(*)::bigint as readings,
        (row_number() over (order by landing_id))::integer as response,
    from sightings
    group by landing_id

),

reference as (

    select
        *,
        list_position([{{ quoted(features) }}], feature)::tinyint
            as place,
    from {{ ref('reference_profiles') }}

),

summed as (

    select
        landing_id,
        {% for name in numeric_names() -%}
        {{ summary_of(name, quantiles.values() | list) }} as {{ name }},
        {% endfor %}
    from sightings
    group by landing_id

),

described as (

    unpivot summed
    on {{ numeric_names() | join(', ') }}
    into name feature value summary

),

-- How often each value is in a response; of no use without a reference.
counted as materialized (

    {% for name in numeric_names() -%}
    select
        responses.response,
        {{ features.index(name) + 1 }}::tinyint as place,
        sightings.{{ name }} as reading,
        count(*)::integer as readings,
    from sightings
    inner join responses
        on sightings.landing_id = responses.landing_id
    where exists (select 1 from reference)
    group by responses.response, sightings.{{ name }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

cumulated as (

    select
        *,
        sum(readings) over (
            partition by response, place
            order by reading
            rows between unbounded preceding and current row
        ) as readings_up_to,
    from counted

),

seen as (

    select distinct
        place,
        reading,
    from counted

),

-- The reference where it stands at a value, and just below it.
readings_placed as (

    select
        seen.place,
        seen.reading,
        coalesce(up_to.bin, 0) as bin,
        coalesce(up_to.cumulative_share, 0) as reference_up_to,
        coalesce(below.cumulative_share, 0) as reference_below,
    from seen
    asof left join reference as up_to
        on
            seen.place = up_to.place
            and seen.reading >= up_to.reading
    asof left join reference as below
        on
            seen.place = below.place
            and seen.reading > below.reading

),

names as (

    {% for name in choice_names() -%}
    select
        landing_id,
        {{ features.index(name) + 1 }}::tinyint as place,
        {{ name }} as choice,
        count(*) as readings,
    from sightings
    where exists (select 1 from reference)
    group by landing_id, {{ name }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

binned as (

    select
        responses.landing_id,
        cumulated.place,
        readings_placed.bin,
        sum(cumulated.readings) as readings,
        -- Between two values of the response only the reference rises.
        max(greatest(
            abs(
                cumulated.readings_up_to / responses.readings
                - readings_placed.reference_up_to
            ),
            abs(
                (cumulated.readings_up_to - cumulated.readings)
                / responses.readings
                - readings_placed.reference_below
            )
        )) as ks_distance,
    from cumulated
    inner join responses
        on cumulated.response = responses.response
    inner join readings_placed
        on
            cumulated.place = readings_placed.place
            and cumulated.reading = readings_placed.reading
    group by responses.landing_id, cumulated.place, readings_placed.bin
    union all
    select
        names.landing_id,
        names.place,
        -- Together, those that the reference has not.
        coalesce(reference.bin, -1) as bin,
        sum(names.readings) as readings,
        null as ks_distance,
    from names
    left join reference
        on
            names.place = reference.place
            and names.choice = reference.choice
    group by all

),

reference_bins as (

    select
        feature,
        place,
        bin,
        sum(readings) as readings,
        sum(sum(readings)) over (partition by place) as readings_in_all,
        count(*) over (partition by place) as bins,
        any_value(reference_snapshot_id) as reference_snapshot_id,
    from reference
    group by feature, place, bin

),

-- Half a row in each bin keeps an empty one from being infinitely far.
compared as (

    select
        responses.landing_id,
        reference_bins.feature,
        max(binned.ks_distance) as ks_distance,
        any_value(reference_bins.reference_snapshot_id)
            as reference_snapshot_id,
        sum(
            (
                (coalesce(binned.readings, 0) + 0.5)
                / (responses.readings + 0.5 * reference_bins.bins)
                - (reference_bins.readings + 0.5)
                / (reference_bins.readings_in_all + 0.5 * reference_bins.bins)
            )
            * ln(
                (coalesce(binned.readings, 0) + 0.5)
                / (responses.readings + 0.5 * reference_bins.bins)
                / (reference_bins.readings + 0.5)
                * (reference_bins.readings_in_all + 0.5 * reference_bins.bins)
            )
        ) as psi,
    from responses
    cross join reference_bins
    left join binned
        on
            responses.landing_id = binned.landing_id
            and reference_bins.place = binned.place
            and reference_bins.bin = binned.bin
    group by responses.landing_id, reference_bins.feature

),

features as (

    select unnest([{{ quoted(features) }}]) as feature

),

profiled as (

    select
        responses.landing_id,
        responses.fetched_at,
        features.feature,
        responses.readings,
        described.summary.minimum,
        {% for name in quantiles -%}
        described.summary.quantiles[{{ loop.index }}] as quantile_{{ name }},
        {% endfor -%}
        described.summary.maximum,
        described.summary.total / responses.readings as mean,
        case
            when responses.readings > 1
                then
                    sqrt(
                        (
                            responses.readings * described.summary.squares
                            - described.summary.total * described.summary.total
                        )
                        / (responses.readings * (responses.readings - 1))
                    )
        end as standard_deviation,
        compared.psi,
        compared.ks_distance,
        compared.reference_snapshot_id,
    from responses
    cross join features
    left join described
        on
            responses.landing_id = described.landing_id
            and features.feature = described.feature
    left join compared
        on
            responses.landing_id = compared.landing_id
            and features.feature = compared.feature

)

select * from profiled
