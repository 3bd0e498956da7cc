{{
    config(
        origin='landing_id',
        pre_hook="{{ point_bronze_at(ref('pending_landings')) }}"
    )
}}

with checked_rows as (

    select * from {{ ref('checked_rows') }}

),

accepted as (

    select
        landing_id,
        position,
        row_id,
        source,
        group_number,
        batch_number,
        fetched_at,
        {% for name in column_names() -%}
        {{ name }},
        {% endfor %}
    from checked_rows
    where is_accepted

)

select * from accepted
