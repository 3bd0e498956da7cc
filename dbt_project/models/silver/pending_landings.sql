{{
    config(
        incremental_strategy='replace',
        pre_hook="{{ remember_unfinished() }}"
    )
}}

-- depends_on: {{ source('bronze', 'rows') }}
with files as (

    select file as url
    from glob('{{ lake_files("/bronze/rows/**/*.parquet") }}')

),

-- What failed an audit and was not released since, by the names of the objects
-- that say so (lake/bronze/held.py).
held as (

    select split_part(parse_filename(file), '.', 1) as landing_id
    from glob('{{ lake_files("/bronze/held/*.json") }}')
    group by all
    having not bool_or(file like '%.released.json')

),

known as (

    {{ known_landings() }}

),

listed as (

    select
        url,
        regexp_extract(
            url,
            'bronze/rows/(.+)/group=(\d+)/date=[^/]+/([^/]+)\.parquet$',
            ['source', 'group_number', 'landing_id']
        ) as parts,
    from files
    -- What no collector has written is no landing.
    where regexp_matches(
        url, '/group=\d+/date=[^/]+/\d{8}T\d{12}Z-[0-9a-f]+\.parquet$'
    )

),

compared as (

    select
        listed.url,
        listed.parts,
        known.landing_id is not null as is_known,
        held.landing_id is not null as is_held,
        list_contains(
            getvariable('unfinished_landings'), listed.parts.landing_id
        ) as is_unfinished,
        -- A held landing has no accepted row, whatever the contract says.
        known.landing_id is not null
        and (
            known.is_held != (held.landing_id is not null)
            {%- if var('requarantine') %}
            or (known.quarantined_rows > 0 and not known.is_held)
            {%- endif %}
        ) as is_judged_again,
    from listed
    left join held
        on listed.parts.landing_id = held.landing_id
    left join known
        on listed.parts.landing_id = known.landing_id

),

pending as (

    select
        parts.landing_id,
        parts.source,
        parts.group_number::integer as group_number,
        strptime(
            split_part(parts.landing_id, '-', 1), '%Y%m%dT%H%M%S%fZ'
        )::timestamptz as fetched_at,
        url,
        is_held,
        is_unfinished or is_judged_again as is_retried,
        coalesce(
            parts.landing_id < (select max(landing_id) from known), false
        ) as is_late,
        false as is_finished,
    from compared
    where not is_known or is_unfinished or is_judged_again

)

select * from pending
