package dev.signalbox.peers;

import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.Table;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.io.CloseableIterable;

/** Prints where the data files of the table's current snapshot are, one a line: what a reader of the table would read. */
public final class DataFiles {
  public static void main(String[] args) throws Exception {
    Properties file = new Properties();
    try (Reader r = Files.newBufferedReader(Path.of(args[0]))) {
      file.load(r);
    }
    Map<String, String> settings = new HashMap<>();
    file.forEach((key, value) -> settings.put((String) key, (String) value));
    Catalog catalog = CatalogUtil.buildIcebergCatalog("catalog", settings, null);
    Table table = catalog.loadTable(TableIdentifier.of("shop", "events"));
    try (CloseableIterable<FileScanTask> tasks = table.newScan().planFiles()) {
      for (FileScanTask task : tasks) {
        if (!task.deletes().isEmpty()) {
          throw new IllegalStateException("rows of " + task.file().location() + " are deleted");
        }
        System.out.println(task.file().location());
      }
    }
  }
}
