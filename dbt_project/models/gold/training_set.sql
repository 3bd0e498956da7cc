{{
    config(
        unique_key='row_id',
        origin='first_landing_id'
    )
}}

-- depends_on: {{ ref('pending_landings') }}
-- depends_on: {{ ref('landings') }}
{%- set state = pending() if is_incremental() %}
with observations as (

    select * from {{ ref('observations') }}

),

changed as (

    select *
    from observations
    {%- if is_incremental() %}
    where
        {{ is_pending('first_landing_id', state) }}
        {%- if state.is_retried %}
        or row_id in (
            select row_id
            from {{ this }}
            where first_landing_id in ({{ retried_landings() }})
        )
        {%- endif %}
    {%- endif %}

),

hashed as (

    select
        *,
        {{ content_hash(
            column_names(with_label=false), salt=var('split_salt')
        ) }} as side,
    from changed

),

divided as (

    select
        row_id,
        -- The percent point, 0 to 99, that 32 of the hash's 128 bits fall on.
        case
            when
                ('0x' || left(side, 8))::bigint % 100
                < {{ var('test_percent') }}
                then 'test'
            else 'train'
        end as split,
        {% for name in column_names() -%}
        {{ name }},
        {% endfor -%}
        first_landing_id,
        first_seen_at,
    from hashed

)

select * from divided
