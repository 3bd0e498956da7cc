{{ config(incremental_strategy='replace') }}

{%- set destinations = {
    'water': 'horizontal_distance_to_hydrology_m',
    'road': 'horizontal_distance_to_roadways_m',
    'fire point': 'horizontal_distance_to_fire_points_m',
} %}
{%- set quantiles = ['05', '25', '50', '75', '95'] %}
with training_set as (

    select * from {{ ref('training_set') }}

),

cover_types as (

    select * from {{ ref('cover_types') }}

),

summarised as (

    {% for destination, distance in destinations.items() -%}
    select
        cover_type,
        '{{ destination }}' as destination,
        count(*) as observations,
        min({{ distance }}) as minimum_m,
        quantile_cont({{ distance }}, [
            {%- for name in quantiles -%}
            0.{{ name }}{{ ', ' if not loop.last }}
            {%- endfor -%}
        ]) as quantiles_m,
        max({{ distance }}) as maximum_m,
        avg({{ distance }}) as mean_m,
    from training_set
    group by cover_type
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

named as (

    select
        summarised.cover_type,
        cover_types.cover_type_name,
        summarised.destination,
        summarised.observations,
        summarised.minimum_m,
        {% for name in quantiles -%}
        summarised.quantiles_m[{{ loop.index }}] as quantile_{{ name }}_m,
        {% endfor -%}
        summarised.maximum_m,
        summarised.mean_m,
    from summarised
    inner join cover_types
        on summarised.cover_type = cover_types.cover_type

)

select * from named
