-- depends_on: {{ ref('pending_landings') }}
-- depends_on: {{ ref('sightings') }}
-- Gold has every observation once, where it was seen first, and nothing else.
with observations as (

    select * from {{ ref('observations') }}
    where {{ is_row_tested() }}

),

training_set as (

    select * from {{ ref('training_set') }}
    where {{ is_row_tested() }}

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
