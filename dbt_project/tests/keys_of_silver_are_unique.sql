-- depends_on: {{ ref('pending_landings') }}
-- depends_on: {{ ref('sightings') }}
with row_keys as (

    select
        'landings' as relation,
        landing_id as row_key,
    from {{ ref('landings') }}
    union all
    select
        'observations' as relation,
        row_id as row_key,
    from {{ ref('observations') }}
    where {{ is_row_tested() }}

)

select
    relation,
    row_key,
    count(*) as copies,
from row_keys
group by relation, row_key
having count(*) > 1 or row_key is null
