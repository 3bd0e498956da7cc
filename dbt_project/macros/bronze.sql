{#
    Objects of the lake, as a pattern within quotes: a folder may have a ' in
    its name. A listing of them reads none.
#}
{% macro lake_files(pattern) %}
    {{- return(
        (env_var('LAKE_ROOT', '.canopy/lake') ~ pattern) | replace("'", "''")
    ) -}}
{% endmacro %}


{#
    Points the source bronze.rows at the files in a relation, and at no
    others: what one more landing costs does not grow with those before it.
    Files that were written before a column came to bronze have null in it.
#}
{% macro point_bronze_at(relation) %}
set variable bronze_rows = (
    select
        'select {{ bronze_columns() }} where false'
        || coalesce(
            ' union all by name select * from read_parquet(['
            || string_agg(
                '''' || replace(url, '''', '''''') || '''', ', ' order by url
            )
            || '], hive_partitioning = false, union_by_name = true)',
            ''
        )
    from {{ relation }}
)
{% endmacro %}


{#
    Points it at the pending files that hold more rows than were accepted of
    them: what fits the contract as a whole is not read a second time.
#}
{% macro point_bronze_at_refused(sightings) %}
    {%- set pending_landings = ref('pending_landings') -%}
    {%- if execute and pending().landings -%}
        {%- do run_query(
            'set variable pending_files = (select list(url) from '
            ~ pending_landings ~ ')'
        ) -%}
        {%- set refused -%}
        (
            select pending.url
            from {{ pending_landings }} as pending
            inner join parquet_file_metadata(getvariable('pending_files'))
                as files
                on pending.url = files.file_name
            left join (
                select landing_id, count(*) as accepted_rows
                from {{ sightings }}
                where {{ is_pending('landing_id') }}
                group by landing_id
            ) as accepted
                on pending.landing_id = accepted.landing_id
            where files.num_rows > coalesce(accepted.accepted_rows, 0)
        )
        {%- endset -%}
        {{ point_bronze_at(refused) }}
    {%- else -%}
        {{ point_bronze_at(pending_landings) }}
    {%- endif -%}
{% endmacro %}


{# The columns of a row file, also where a file lacks them or there is none. #}
{% macro bronze_columns() %}
    {%- for column in contract_columns() -%}
        null::varchar as {{ column.source_name }},
    {%- endfor -%}
    null::varchar as landing_id, null::varchar as source,
    null::integer as group_number, null::integer as batch_number,
    null::timestamptz as fetched_at, null::varchar as request_id,
    null::integer as position, null::varchar as sha256,
    null::varchar as url, null::varchar as client_version,
    null::varchar as raw_key, null::varchar as adapter
{%- endmacro %}


{#
    Landings that silver has counted, and whether it held them back; none when
    it is built from nothing.
#}
{% macro known_landings() %}
    {%- set landings = adapter.get_relation(this.database, this.schema, 'landings')
        if execute and not flags.FULL_REFRESH -%}
    {%- if landings -%}
        {%- set is_held = 'is_held' in (
            adapter.get_columns_in_relation(landings) | map(attribute='name')
        ) -%}
        select
            landing_id,
            quarantined_rows,
            {{ 'is_held' if is_held else 'false as is_held' }},
        from {{ landings }}
    {%- else -%}
        select
            null::varchar as landing_id,
            null::bigint as quarantined_rows,
            null::boolean as is_held,
        where false
    {%- endif -%}
{% endmacro %}
