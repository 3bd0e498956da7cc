{{ config(materialized='replaced') }}

with landings as (

    select * from {{ ref('landings') }}

),

batches as (

    select
        source,
        group_number,
        batch_number,
        count(*) as requests,
        sum(landed_rows)::bigint as landed_rows,
        sum(accepted_rows)::bigint as accepted_rows,
        sum(quarantined_rows)::bigint as quarantined_rows,
        sum(new_rows)::bigint as new_rows,
        min(fetched_at) as first_fetched_at,
        max(fetched_at) as last_fetched_at,
    from landings
    group by source, group_number, batch_number

),

summed as (

    select
        *,
        sum(new_rows) over (
            partition by source, group_number
            order by first_fetched_at, batch_number
        )::bigint as distinct_rows,
    from batches

)

select * from summed
