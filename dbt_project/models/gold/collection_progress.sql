{{
    config(
        incremental_strategy='delete+insert',
        unique_key=['source', 'group_number']
    )
}}

-- depends_on: {{ ref('pending_landings') }}
with landings as (

    select * from {{ ref('landings') }}
    {%- if is_incremental() %}
    where {{ is_in_pending_groups() }}
    {%- endif %}

),

batch_rows as (

    select * from {{ ref('batch_rows') }}
    {%- if is_incremental() %}
    where {{ is_in_pending_groups() }}
    {%- endif %}

),

batches as (

    select
        source,
        group_number,
        batch_number,
        row_number() over (
            partition by source, group_number
            order by min(fetched_at), batch_number
        ) as place,
        count(*) as requests,
        sum(landed_rows)::bigint as landed_rows,
        sum(accepted_rows)::bigint as accepted_rows,
        sum(quarantined_rows)::bigint as quarantined_rows,
        sum(new_rows)::bigint as new_rows,
        min(fetched_at) as first_fetched_at,
        max(fetched_at) as last_fetched_at,
        -- What does not fit the contract is no part of what is estimated.
        list(accepted_rows order by fetched_at, landing_id) as sizes,
    from landings
    group by source, group_number, batch_number

),

seen as (

    select
        batches.source,
        batches.group_number,
        batches.place,
        batch_rows.row_id,
    from batch_rows
    inner join batches
        on
            batch_rows.source = batches.source
            and batch_rows.group_number = batches.group_number
            and batch_rows.batch_number = batches.batch_number

),

-- Not new_rows, which other groups and sources take from each other.
first_seen as (

    select
        source,
        group_number,
        row_id,
        min(place) as place,
    from seen
    group by source, group_number, row_id

),

seen_in_batch as (

    select
        source,
        group_number,
        place,
        count(*) as distinct_rows,
    from seen
    group by source, group_number, place

),

seen_first_in_batch as (

    select
        source,
        group_number,
        place,
        count(*) as distinct_rows,
    from first_seen
    group by source, group_number, place

),

cumulated as (

    select
        batches.*,
        coalesce(seen_in_batch.distinct_rows, 0) as batch_distinct_rows,
        coalesce(sum(seen_first_in_batch.distinct_rows) over up_to, 0)::bigint
            as distinct_rows,
        sum(batches.requests) over up_to::bigint as group_requests,
        sum(batches.accepted_rows) over up_to::bigint as group_accepted_rows,
        flatten(list(batches.sizes) over up_to) as group_sizes,
    from batches
    left join seen_in_batch
        on
            batches.source = seen_in_batch.source
            and batches.group_number = seen_in_batch.group_number
            and batches.place = seen_in_batch.place
    left join seen_first_in_batch
        on
            batches.source = seen_first_in_batch.source
            and batches.group_number = seen_first_in_batch.group_number
            and batches.place = seen_first_in_batch.place
    window up_to as (
        partition by batches.source, batches.group_number
        order by batches.place
    )

),

groups as (

    select
        source,
        group_number,
        resampled_by(
            list(struct_pack(
                batch := batch_number,
                sizes := sizes,
                distinct_rows := batch_distinct_rows
            ) order by place),
            max(distinct_rows)
        ) as resampled,
    from cumulated
    group by source, group_number

),

estimated as (

    select
        cumulated.*,
        groups.resampled,
        case
            when groups.resampled = 'batch'
                then
                    coverage_of(
                        cumulated.sizes,
                        cumulated.batch_distinct_rows
                    )
            else
                coverage_of(
                    cumulated.group_sizes,
                    cumulated.distinct_rows
                )
        end as in_reach,
    from cumulated
    inner join groups
        on
            cumulated.source = groups.source
            and cumulated.group_number = groups.group_number

),

named as (

    select
        source,
        group_number,
        batch_number,
        requests,
        landed_rows,
        accepted_rows,
        quarantined_rows,
        new_rows,
        batch_distinct_rows,
        first_fetched_at,
        last_fetched_at,
        group_requests,
        group_accepted_rows,
        distinct_rows,
        resampled,
        in_reach.estimated_rows,
        in_reach.estimated_rows_low,
        in_reach.estimated_rows_high,
        in_reach.share as coverage,
        in_reach.share_low as coverage_low,
        in_reach.share_high as coverage_high,
    from estimated

)

select * from named
