{#
    Points the source bronze.predictions at the segments that this table does
    not have yet, whichever build began with them: it takes an object in whole,
    in one transaction, or not at all. An object is named by its segment, or by
    the first of those that were merged into it (lake/bronze/merging.py); a segment
    that is there both by itself and merged is read from one of them.
#}
{% macro point_predictions_at_new() %}
set variable predicted_rows = (
    with listed as (

        select
            string_agg(
                '''' || replace(file, '''', '''''') || '''', ', ' order by file
            ) as files
        from glob('{{ lake_files("/bronze/predictions/**/*.parquet") }}')
        where
            regexp_matches(
                parse_filename(file),
                '^\d{8}T\d{12}Z-[0-9a-f]+(\.merged-[^./]+)?\.parquet$'
            )
            {%- if is_incremental() %}
            and split_part(parse_filename(file), '.', 1)
            not in (select segment from {{ this }})
            {%- endif %}

    )

    select
        'select {{ prediction_columns() }} where false'
        || coalesce(
            ' union all by name select * exclude (filename) from read_parquet(['
            || files
            || '], hive_partitioning = false, union_by_name = true,'
            || ' filename = true) where (segment, filename) in ('
            || 'select segment, min(filename) from read_parquet(['
            || files
            || '], hive_partitioning = false, filename = true)'
            || ' group by segment)',
            ''
        )
    from listed
)
{% endmacro %}


{# The columns of a segment (lake/bronze/predictions.py), also where there is none. #}
{% macro prediction_columns() %}
    {%- for column in contract_columns() if not column.is_label -%}
        null::{{ 'integer' if column.kind == 'integer' else 'varchar' }}
        as {{ column.name }},
    {%- endfor -%}
    null::varchar as segment, null::integer as sequence,
    null::varchar as request_id, null::integer as position,
    null::timestamptz as predicted_at, null::varchar as model_name,
    null::integer as model_version, null::bigint as model_snapshot_id,
    null::integer as predicted, null::float as probability,
    null::float[] as probabilities, null::varchar[] as flags,
    null::float as latency_ms, null::varchar as key_id,
    null::integer as shadow_version, null::integer as shadow_predicted,
    null::float as shadow_probability
{%- endmacro %}


{#
    Predictions to sum up: those since the oldest period whose sums are not of
    all its rows. The bound is a literal, by which DuckLake leaves files out;
    which periods have grown is found out from the times alone.

    period: hour or day, and start: the column that says when it begins.
    rows: the column that counts its rows, and is_counted: which rows those are.
#}
{% macro is_to_sum_up(period, start, rows, is_counted='true') %}
    {%- if not is_incremental() -%}
        {{- return(is_counted) -}}
    {%- endif -%}
    {%- set query -%}
        with there as (
            select
                date_trunc('{{ period }}', predicted_at) as begins_at,
                count(*) as n
            from {{ ref('predictions') }}
            where {{ is_counted }}
            group by all
        ),
        summed as (
            select {{ start }} as begins_at, sum({{ rows }}) as n
            from {{ this }}
            group by all
        )
        select min(begins_at)::varchar
        from there left join summed using (begins_at)
        where there.n is distinct from summed.n
    {%- endset -%}
    {%- set since = run_query(query).rows[0][0] -%}
    {{- return(
        is_counted ~ ' and predicted_at >= timestamptz \'' ~ since ~ '\''
        if since else 'false'
    ) -}}
{% endmacro %}
