{{
    config(
        unique_key='landing_id',
        origin='landing_id',
        pre_hook=[
            "{{ add_column('adapter', 'varchar', 'none') }}",
            "{{ add_column('is_held', 'boolean', 'false') }}",
            "{{ add_column('contract_version', 'varchar', '1.0.0') }}",
            "{{ point_bronze_at(ref('pending_landings')) }}"
        ]
    )
}}

-- depends_on: {{ ref('pending_landings') }}
{%- set state = pending() if is_incremental() %}
with pending_landings as (

    select * from {{ ref('pending_landings') }}

),

-- What is the same in each row of a response.
headers as (

    select * from {{ source('bronze', 'rows') }}
    where position = 0

),

accepted as (

    select
        landing_id,
        count(*) as accepted_rows,
    from {{ ref('sightings') }}
    {%- if is_incremental() %}
    where {{ is_pending('landing_id', state) }}
    {%- endif %}
    group by landing_id

),

quarantined as (

    select
        landing_id,
        count(*) as quarantined_rows,
    from {{ ref('quarantine') }}
    {%- if is_incremental() %}
    where {{ is_pending('landing_id', state) }}
    {%- endif %}
    group by landing_id

),

firsts as (

    select
        first_landing_id as landing_id,
        count(*) as new_rows,
    from {{ ref('observations') }}
    {%- if is_incremental() and not state.is_late %}
    where {{ is_pending('first_landing_id', state) }}
    {%- endif %}
    group by first_landing_id

),

arrived as (

    select
        pending_landings.landing_id,
        pending_landings.source,
        pending_landings.group_number,
        headers.batch_number,
        pending_landings.fetched_at,
        coalesce(accepted.accepted_rows, 0)
        + coalesce(quarantined.quarantined_rows, 0) as landed_rows,
        coalesce(accepted.accepted_rows, 0) as accepted_rows,
        coalesce(quarantined.quarantined_rows, 0) as quarantined_rows,
        headers.request_id,
        headers.sha256,
        headers.url,
        headers.client_version,
        headers.raw_key,
        case
            when headers.landing_id is not null
                then coalesce(headers.adapter, 'none')
        end as adapter,
        pending_landings.is_held,
        '{{ contract_version() }}' as contract_version,
    from pending_landings
    left join headers
        on pending_landings.landing_id = headers.landing_id
    left join accepted
        on pending_landings.landing_id = accepted.landing_id
    left join quarantined
        on pending_landings.landing_id = quarantined.landing_id

),

{% if is_incremental() and state.is_late -%}
-- Landings of before whose rows have turned out to be older than they are.
overtaken as (

    select known.* exclude (new_rows)
    from {{ this }} as known
    left join firsts
        on known.landing_id = firsts.landing_id
    where
        known.new_rows != coalesce(firsts.new_rows, 0)
        and known.landing_id not in (select landing_id from arrived)

),

{% endif -%}
changed as (

    select * from arrived
    {%- if is_incremental() and state.is_late %}
    union all by name
    select * from overtaken
    {%- endif %}

),

counted as (

    select
        changed.*,
        coalesce(firsts.new_rows, 0) as new_rows,
    from changed
    left join firsts
        on changed.landing_id = firsts.landing_id

)

select * from counted
