{{
    config(
        materialized='replaced',
        pre_hook="{{ point_bronze_at(ref('pending_landings')) }}"
    )
}}

-- depends_on: {{ ref('pending_landings') }}
with landed as (

    select * from {{ source('bronze', 'rows') }}

),

typed as (

    select
        landing_id,
        position,
        source,
        group_number,
        batch_number,
        fetched_at,
        request_id,
        sha256,
        url,
        client_version,
        raw_key,
        coalesce(adapter, 'none') as adapter,
        {% for column in contract_columns() -%}
        {{ typed(column) }} as {{ column.name }},
        {% endfor -%}
        struct_pack(
            {%- for column in contract_columns() %}
            {{ column.source_name }} := {{ column.source_name }}
            {{- ',' if not loop.last }}
            {%- endfor %}
        ) as source_values,
        list_filter(
            [
                {%- for column in contract_columns() %}
                {{ reason(column) }},
                {%- endfor %}
            ],
            lambda reason: reason is not null
        ) as reasons,
    from landed

),

identified as (

    select
        *,
        len(reasons) = 0 as is_accepted,
        case
            when len(reasons) = 0 then {{ content_hash(column_names()) }}
        end as row_id,
    from typed

)

select * from identified
