-- depends_on: {{ ref('pending_landings') }}
-- Every landed row is in exactly one of sightings and quarantine: together they
-- hold the places 0 to n-1, as many, with their sum and their sum of squares.
with landings as (

    select * from {{ ref('landings') }}
    where {{ is_tested('landing_id') }}

),

rows_of_silver as (

    select
        landing_id,
        position,
        true as is_accepted,
    from {{ ref('sightings') }}
    where {{ is_tested('landing_id') }}
    union all
    select
        landing_id,
        position,
        false as is_accepted,
    from {{ ref('quarantine') }}
    where {{ is_tested('landing_id') }}

),

counted as (

    select
        landing_id,
        count_if(is_accepted) as accepted_rows,
        count_if(not is_accepted) as quarantined_rows,
        count(*) as places,
        sum(position) as sum_of_places,
        sum(position::bigint * position) as sum_of_squares,
    from rows_of_silver
    group by landing_id

)

select landings.landing_id
from landings
left join counted
    on landings.landing_id = counted.landing_id
where
    landings.landed_rows
    is distinct from landings.accepted_rows + landings.quarantined_rows
    or landings.accepted_rows
    is distinct from coalesce(counted.accepted_rows, 0)
    or landings.quarantined_rows
    is distinct from coalesce(counted.quarantined_rows, 0)
    or landings.landed_rows is distinct from coalesce(counted.places, 0)
    or (landings.landed_rows * (landings.landed_rows - 1)) // 2
    is distinct from coalesce(counted.sum_of_places, 0)
    or (
        landings.landed_rows
        * (landings.landed_rows - 1)
        * (2 * landings.landed_rows - 1)
    ) // 6
    is distinct from coalesce(counted.sum_of_squares, 0)
