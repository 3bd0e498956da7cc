{{ config(materialized='replaced') }}

-- depends_on: {{ source('bronze', 'rows') }}
with files as (

    select file as url from glob('{{ bronze_files() }}')

),

finished as (

    {{ finished_landings() }}

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
    from listed
    where parts.landing_id not in (select landing_id from finished)

)

select * from pending
