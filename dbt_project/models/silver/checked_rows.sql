{{ config(materialized='ephemeral') }}

-- depends_on: {{ ref('pending_landings') }}
with landed as (

    select * from {{ source('bronze', 'rows') }}

),

pending_landings as (

    select * from {{ ref('pending_landings') }}

),

typed as (

    select
        landed.landing_id,
        landed.position,
        landed.source,
        landed.group_number,
        landed.batch_number,
        landed.fetched_at,
        pending_landings.is_held,
        {% for column in contract_columns() -%}
        {{ typed(column) }} as {{ column.name }},
        {% endfor -%}
        struct_pack(
            {%- for column in contract_columns() %}
            {{ column.source_name }} := {{ column.source_name }}
            {{- ',' if not loop.last }}
            {%- endfor %}
        ) as source_values,
    from landed
    inner join pending_landings
        on landed.landing_id = pending_landings.landing_id

),

judged as (

    select
        *,
        -- A value that does not fit is null.
        not is_held
        {%- for name in column_names() %}
        and {{ name }} is not null
        {%- endfor %} as is_accepted,
    from typed

),

identified as (

    select
        *,
        case
            when is_accepted then {{ content_hash(column_names()) }}
        end as row_id,
        case
            when not is_accepted
                then
                    list_filter(
                        [
                            case when is_held then 'held_back' end,
                            {%- for column in contract_columns() %}
                            {{ reason(column, 'source_values') }},
                            {%- endfor %}
                        ],
                        lambda reason: reason is not null
                    )
            else []
        end as reasons,
    from judged

)

select * from identified
