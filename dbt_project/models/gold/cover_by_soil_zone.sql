{{ config(incremental_strategy='replace') }}

with training_set as (

    select * from {{ ref('training_set') }}

),

soil_types as (

    select * from {{ ref('soil_types') }}

),

cover_types as (

    select * from {{ ref('cover_types') }}

),

counted as (

    select
        soil_type,
        cover_type,
        count(*) as observations,
        avg(elevation_m) as mean_elevation_m,
    from training_set
    group by soil_type, cover_type

),

shared as (

    select
        soil_types.climatic_zone,
        soil_types.geologic_zone,
        counted.soil_type,
        soil_types.soil_type_name,
        counted.cover_type,
        cover_types.cover_type_name,
        counted.observations,
        counted.observations / sum(counted.observations) over (
            partition by counted.soil_type
        ) as cover_share,
        sum(counted.observations) over cover_in_zone
        / sum(counted.observations) over zone as cover_share_in_zone,
        counted.mean_elevation_m,
    from counted
    inner join soil_types
        on counted.soil_type = soil_types.soil_type
    inner join cover_types
        on counted.cover_type = cover_types.cover_type
    window
        zone as (
            partition by soil_types.climatic_zone, soil_types.geologic_zone
        ),
        cover_in_zone as (
            partition by
                soil_types.climatic_zone,
                soil_types.geologic_zone,
                counted.cover_type
        )

)

select * from shared
