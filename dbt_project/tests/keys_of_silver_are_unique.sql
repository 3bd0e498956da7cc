with keys as (

    select 'landings' as relation, landing_id as key
    from {{ ref('landings') }}
    union all
    select 'observations' as relation, row_id as key
    from {{ ref('observations') }}

)

select relation, key, count(*) as copies
from keys
group by relation, key
having count(*) > 1 or key is null
