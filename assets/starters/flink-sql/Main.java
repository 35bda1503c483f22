package {{package}};

import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

/**
 * {{name}}: runs the statements of job.sql over tables on Kafka, or, with the names of a file and a folder, over tables on
 * files. What it does stands in job.sql alone.
 */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws Exception {
    if (arguments.length == 2) {
      run("local", Map.of("INPUT", arguments[0], "OUTPUT", arguments[1])).await();
    } else {
      // The environment says where Kafka is and who we are: two files whose places are in variables.
      Map<String, String> topics = properties("FLOWDECK_KAFKA_TOPICS");
      String[] outputs = topics.get("outputs").split(",");
      run(
          "kafka",
          Map.of(
              "INPUT", topics.get("inputs").replace(',', ';'),
              "RESULTS", outputs[0],
              "SIGNALS", outputs[1],
              "CLIENT", options(properties("FLOWDECK_KAFKA_CLIENT"))));
    }
  }

  /** Makes the tables of a place and runs the job. */
  static TableResult run(String place, Map<String, String> values) throws IOException {
    return environment(place, values).executeSql(text("job"));
  }

  /** Makes the tables of a place and says how the job would run. */
  static String explain(String place, Map<String, String> values) throws IOException {
    String job = text("job").replaceFirst("EXECUTE STATEMENT SET", "EXPLAIN STATEMENT SET");
    return (String) environment(place, values).executeSql(job).collect().next().getField(0);
  }

  private static TableEnvironment environment(String place, Map<String, String> values) throws IOException {
    EnvironmentSettings.Builder settings = EnvironmentSettings.newInstance();
    boolean isLocal = place.equals("local");
    TableEnvironment environment =
        TableEnvironment.create((isLocal ? settings.inBatchMode() : settings.inStreamingMode()).build());
    for (String statement : text(place).split(";\n")) {
      for (Map.Entry<String, String> value : values.entrySet()) {
        statement = statement.replace("$" + value.getKey(), value.getValue());
      }
      if (!statement.isBlank()) {
        environment.executeSql(statement);
      }
    }
    return environment;
  }

  private static String text(String name) throws IOException {
    try (InputStream stream = Main.class.getResourceAsStream("/" + name + ".sql")) {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** Client properties as options of a table. */
  static String options(Map<String, String> client) {
    StringBuilder text = new StringBuilder();
    client.forEach(
        (name, value) ->
            text.append(", 'properties.").append(name.replace("'", "''")).append("' = '").append(value.replace("'", "''")).append("'"));
    return text.toString();
  }

  private static Map<String, String> properties(String variable) throws IOException {
    Properties properties = new Properties();
    try (Reader reader = Files.newBufferedReader(Path.of(System.getenv(variable)))) {
      properties.load(reader);
    }
    Map<String, String> map = new TreeMap<>();
    properties.forEach((name, value) -> map.put((String) name, (String) value));
    return map;
  }
}
