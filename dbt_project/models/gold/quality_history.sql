{{
    config(
        origin='landing_id'
    )
}}

-- depends_on: {{ ref('pending_landings') }}
{%- set state = pending() if is_incremental() %}
with landings as (

    select * from {{ ref('landings') }}
    {%- if is_incremental() %}
    where {{ is_pending('landing_id', state) }}
    {%- endif %}

),

reasons as (

    select
        landing_id,
        split_part(unnest(reasons), ':', 1) as reason,
    from {{ ref('quarantine') }}
    {%- if is_incremental() %}
    where {{ is_pending('landing_id', state) }}
    {%- endif %}

),

kinds as (

    select
        landing_id,
        count(*) filter (where reason = 'missing') as missing_values,
        count(*) filter (where reason = 'not_an_integer')
            as not_an_integer_values,
        count(*) filter (where reason = 'out_of_range') as out_of_range_values,
        count(*) filter (where reason = 'not_allowed') as not_allowed_values,
        count(*) filter (where reason = 'held_back') as held_back_rows,
    from reasons
    group by landing_id

),

judged as (

    select
        landings.landing_id,
        landings.source,
        landings.group_number,
        landings.batch_number,
        landings.fetched_at,
        landings.landed_rows,
        landings.accepted_rows,
        landings.quarantined_rows,
        -- Null for a response without rows.
        landings.quarantined_rows / nullif(landings.landed_rows, 0)
            as quarantine_share,
        coalesce(kinds.missing_values, 0) as missing_values,
        coalesce(kinds.not_an_integer_values, 0) as not_an_integer_values,
        coalesce(kinds.out_of_range_values, 0) as out_of_range_values,
        coalesce(kinds.not_allowed_values, 0) as not_allowed_values,
        coalesce(kinds.held_back_rows, 0) as held_back_rows,
    from landings
    left join kinds
        on landings.landing_id = kinds.landing_id

)

select * from judged
