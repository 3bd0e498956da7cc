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

named as (

    select
        soil_types.climatic_zone,
        soil_types.geologic_zone,
        counted.soil_type,
        soil_types.soil_type_name,
        counted.cover_type,
        cover_types.cover_type_name,
        counted.observations,
        sum(counted.observations) over (
            partition by counted.soil_type
        ) as soil_type_observations,
        sum(counted.observations) over zone as zone_observations,
        sum(counted.observations) over cover_in_zone
            as cover_in_zone_observations,
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

),

shared as (

    select
        climatic_zone,
        geologic_zone,
        soil_type,
        soil_type_name,
        cover_type,
        cover_type_name,
        observations,
        observations / soil_type_observations as cover_share,
        cover_in_zone_observations / zone_observations as cover_share_in_zone,
        mean_elevation_m,
    from named

)

select * from shared
