-- The archive as tables of Apache Iceberg. The first two tables are those of Iceberg's SQL catalogs (the JDBC catalog of Java,
-- the SqlCatalog of Python), so that readers find the archive's tables here as they are. archive_view is our own side.

-- +goose Up

CREATE TABLE iceberg_tables (
    catalog_name               varchar(255) NOT NULL,
    table_namespace            varchar(255) NOT NULL,
    table_name                 varchar(255) NOT NULL,
    metadata_location          varchar(1000),
    previous_metadata_location varchar(1000),
    iceberg_type               varchar(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name)
);

CREATE TABLE iceberg_namespace_properties (
    catalog_name   varchar(255) NOT NULL,
    namespace      varchar(255) NOT NULL,
    property_key   varchar(255) NOT NULL,
    property_value varchar(1000),
    PRIMARY KEY (catalog_name, namespace, property_key)
);

-- Who drops a table lets go of the files that it pinned; who renames it does not.
CREATE TABLE archive_view (
    topic_id        uuid PRIMARY KEY REFERENCES archive_topic,
    catalog_name    varchar(255) NOT NULL,
    table_namespace varchar(255) NOT NULL,
    table_name      varchar(255) NOT NULL,
    since           bigint NOT NULL,
    FOREIGN KEY (catalog_name, table_namespace, table_name) REFERENCES iceberg_tables ON DELETE CASCADE ON UPDATE CASCADE
);
