{{ config(incremental_strategy='replace') }}

-- depends_on: {{ ref('training_set') }}
{%- set published = published_to_compare_with() %}
{% if published is none -%}
with nothing as (

    select
        null::varchar as feature,
        null::integer as reading,
        null::varchar as choice,
        null::integer as bin,
        null::bigint as readings,
        null::double as cumulative_share,
        null::bigint as reference_snapshot_id,
        null::bigint as reference_rows,
    where false

)

select * from nothing
{%- elif published == 'kept' -%}
with kept as (

    select * from {{ this }}

)

select * from kept
{%- else -%}
with published as (

    select * from {{ published.rows }}

),

numbers as (

    unpivot (
        select {{ numeric_names() | join(', ') }}
        from published
    )
    on {{ numeric_names() | join(', ') }}
    into name feature value reading

),

names as (

    unpivot (
        select {{ choice_names() | join(', ') }}
        from published
    )
    on {{ choice_names() | join(', ') }}
    into name feature value choice

),

counted as (

    select
        feature,
        reading,
        null::varchar as choice,
        count(*) as readings,
    from numbers
    group by feature, reading
    union all
    select
        feature,
        null as reading,
        choice,
        count(*) as readings,
    from names
    group by feature, choice

),

cumulated as (

    select
        *,
        sum(readings) over up_to as readings_up_to,
        sum(readings) over whole as readings_in_all,
        row_number() over up_to as place,
    from counted
    window
        whole as (partition by feature),
        up_to as (partition by feature order by reading, choice)

),

binned as (

    select
        feature,
        reading,
        choice,
        -- Tenths of the reference; a name is a bin of its own.
        case
            when choice is not null then place - 1
            else
                least(
                    9,
                    (readings_up_to - readings) * 10 // readings_in_all
                )
        end::integer as bin,
        readings::bigint as readings,
        readings_up_to / readings_in_all as cumulative_share,
        {{ published.snapshot_id }}::bigint as reference_snapshot_id,
        {{ published.observations }}::bigint as reference_rows,
    from cumulated

)

select * from binned
{%- endif %}
