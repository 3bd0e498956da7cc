{{
    config(
        incremental_strategy='delete+insert',
        unique_key='predicted_date'
    )
}}

with predictions as (

    select * from {{ ref('predictions') }}
    where
        {{ is_to_sum_up(
            'day', 'predicted_date', 'asked_rows', 'shadow_version is not null'
        ) }}

),

days as (

    select
        predicted_at::date as predicted_date,
        model_name,
        model_version,
        shadow_version,
        count(*) as asked_rows,
        count(*) filter (where shadow_predicted = predicted) as agreed_rows,
    from predictions
    group by all

),

shares as (

    select
        *,
        agreed_rows / asked_rows as agreement,
        {{ wilson('agreed_rows', 'asked_rows', -1) }} as agreement_low,
        {{ wilson('agreed_rows', 'asked_rows', 1) }} as agreement_high,
    from days

)

select * from shares
order by predicted_date, model_name, model_version, shadow_version
