{{
    config(
        incremental_strategy='delete+insert',
        unique_key='hour_at'
    )
}}

with predictions as (

    select * from {{ ref('predictions') }}
    where {{ is_to_sum_up('hour', 'hour_at', 'predicted_rows') }}

),

-- What is the same in all rows of a request is counted in its first.
hours as (

    select
        date_trunc('hour', predicted_at) as hour_at,
        model_name,
        model_version,
        count(*) filter (where position = 0) as requests,
        count(*) as predicted_rows,
        count(*) filter (where len(flags) > 0) as flagged_rows,
        quantile_cont(latency_ms::double, 0.5) filter (where position = 0)
            as latency_p50_ms,
        quantile_cont(latency_ms::double, 0.99) filter (where position = 0)
            as latency_p99_ms,
    from predictions
    group by all

)

select * from hours
order by hour_at, model_name, model_version
