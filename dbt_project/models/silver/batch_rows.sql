-- depends_on: {{ ref('pending_landings') }}
{%- set state = pending() if is_incremental() %}
{%- set is_again = is_incremental() and state.is_retried %}
with sightings as (

    select * from {{ ref('sightings') }}

),

seen as (

    select distinct
        source,
        group_number,
        batch_number,
        row_id,
    from sightings
    {%- if is_again %}
    where {{ is_in_pending_groups() }}
    {%- elif is_incremental() %}
    where {{ is_pending('landing_id', state) }}
    {%- endif %}

){% if is_incremental() and not is_again %},

known as (

    select
        source,
        group_number,
        batch_number,
        row_id,
    from {{ this }}
    where {{ is_in_pending_groups() }}

),

unknown as (

    select seen.*
    from seen
    anti join known
        on
            seen.source = known.source
            and seen.group_number = known.group_number
            and seen.batch_number = known.batch_number
            and seen.row_id = known.row_id

)

select * from unknown
{%- else %}

select * from seen
{%- endif %}
order by source, group_number, batch_number
