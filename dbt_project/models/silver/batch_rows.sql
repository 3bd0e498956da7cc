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

    {%- if is_incremental() and not is_again %}
    except
    select
        source,
        group_number,
        batch_number,
        row_id,
    from {{ this }}
    where {{ is_in_pending_groups() }}
    {%- endif %}

)

select * from seen
order by source, group_number, batch_number
