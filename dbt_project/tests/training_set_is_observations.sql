-- Gold has every observation once, where it was seen first, and nothing else.
with observations as (

    select * from {{ ref('observations') }}

),

training_set as (

    select * from {{ ref('training_set') }}

)

select
    coalesce(observations.row_id, training_set.row_id) as row_id,
    observations.first_landing_id,
    training_set.first_landing_id as first_landing_id_in_gold,
from observations
full outer join training_set
    on observations.row_id = training_set.row_id
where
    observations.first_landing_id
    is distinct from training_set.first_landing_id
