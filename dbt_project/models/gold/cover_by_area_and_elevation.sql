{{ config(incremental_strategy='replace') }}

with training_set as (

    select * from {{ ref('training_set') }}

),

cover_types as (

    select * from {{ ref('cover_types') }}

),

counted as (

    select
        wilderness_area,
        (elevation_m // 200 * 200)::integer as elevation_from_m,
        cover_type,
        count(*) as observations,
        avg(slope_deg) as mean_slope_deg,
        avg(horizontal_distance_to_hydrology_m) as mean_distance_to_water_m,
    from training_set
    group by all

),

shared as (

    select
        counted.wilderness_area,
        counted.elevation_from_m,
        counted.elevation_from_m + 200 as elevation_below_m,
        counted.cover_type,
        cover_types.cover_type_name,
        counted.observations,
        counted.observations / sum(counted.observations) over (
            partition by counted.wilderness_area, counted.elevation_from_m
        ) as cover_share,
        counted.mean_slope_deg,
        counted.mean_distance_to_water_m,
    from counted
    inner join cover_types
        on counted.cover_type = cover_types.cover_type

)

select * from shared
