{{
    config(
        unique_key='row_id',
        origin='first_landing_id'
    )
}}

-- depends_on: {{ ref('pending_landings') }}
{%- set state = pending() if is_incremental() %}
with sightings as (

    select * from {{ ref('sightings') }}

),

{% if is_incremental() and state.is_retried -%}
-- Where landings are built again, their rows may have been seen first in any.
touched as (

    select row_id
    from {{ this }}
    where first_landing_id in ({{ retried_landings() }})
    union
    select row_id
    from sightings
    where {{ is_pending('landing_id', state) }}

),

{% endif -%}
appearances as (

    select
        row_id,
        -- A landing's id begins with the moment it was fetched at.
        min(struct_pack(
            landing_id := landing_id, place := position
        )) as first_place,
        min(fetched_at) as first_seen_at,
        {% for name in column_names() -%}
        any_value({{ name }}) as {{ name }},
        {% endfor %}
    from sightings
    {%- if is_incremental() and state.is_retried %}
    where row_id in (select row_id from touched)
    {%- elif is_incremental() %}
    where {{ is_pending('landing_id', state) }}
    {%- endif %}
    group by row_id

),

firsts as (

    select
        row_id,
        first_place.landing_id as first_landing_id,
        first_place.place as first_position,
        first_seen_at,
        {% for name in column_names() -%}
        {{ name }},
        {% endfor %}
    from appearances

){% if is_incremental() and not state.is_retried %},

-- A landing may arrive late: then it, not the one before it in the lake, is
-- where its rows were seen first.
earlier as (

    select firsts.*
    from firsts
    left join {{ this }} as known
        on firsts.row_id = known.row_id
    where
        known.row_id is null
        or (firsts.first_landing_id, firsts.first_position)
        < (known.first_landing_id, known.first_position)

)

select * from earlier
{%- else %}

select * from firsts
{%- endif %}
