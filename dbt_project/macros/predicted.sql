{#
    Points the source bronze.predictions at the segments that this table does
    not have yet, whichever build began with them: it takes a segment in whole,
    in one transaction, or not at all.
#}
{% macro point_predictions_at_new() %}
set variable predicted_rows = (
    select
        'select {{ prediction_columns() }} where false'
        || coalesce(
            ' union all by name select * from read_parquet(['
            || string_agg(
                '''' || replace(file, '''', '''''') || '''', ', ' order by file
            )
            || '], hive_partitioning = false, union_by_name = true)',
            ''
        )
    from glob('{{ env_var("LAKE_ROOT", ".canopy/lake") -}}
        /bronze/predictions/**/*.parquet')
    {%- if is_increment() %}
    where parse_filename(file, true) not in (select segment from {{ this }})
    {%- endif %}
)
{% endmacro %}


{# The columns of a segment (lake/predictions.py), also where there is none. #}
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
    {%- if not is_increment() -%}
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
