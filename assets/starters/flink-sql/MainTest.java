package {{package}};

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

public final class MainTest {
  @Rule public final TemporaryFolder folder = new TemporaryFolder();

  private static List<String> lines(Path path) throws IOException {
    try (Stream<Path> files = Files.walk(path)) {
      List<Path> found = files.filter(Files::isRegularFile).sorted().collect(Collectors.toList());
      StringBuilder text = new StringBuilder();
      for (Path file : found) {
        text.append(Files.readString(file));
      }
      return text.toString().lines().sorted().collect(Collectors.toList());
    }
  }

  @Test
  public void aRecordIsWorkedOnAndABrokenOneCountsAsAnError() throws Exception {
    Path input = folder.newFile("records.jsonl").toPath();
    Files.writeString(input, "{\"id\":7,\"kind\":\"click\",\"amount\":2}\n{\"kind\":\"view\"}\n");
    Path output = folder.newFolder("out").toPath();
    Main.main(new String[] {input.toString(), output.toString()});
    assertEquals(
        List.of("{\"id\":7,\"kind\":\"click\",\"amount\":2,\"seenBy\":\"{{name}}\"}"), lines(output.resolve("results")));
    List<String> signals = lines(output.resolve("signals"));
    assertEquals(2, signals.size());
    assertTrue(signals.toString(), signals.stream().filter(it -> it.contains("\"status\":500")).count() == 1);
  }

  @Test
  public void theTablesOnKafkaAndTheJobAreUnderstood() throws Exception {
    Map<String, String> client = new TreeMap<>(Map.of("bootstrap.servers", "127.0.0.1:1", "group.id", "it's"));
    Map<String, String> values =
        Map.of("INPUT", "in", "RESULTS", "out", "SIGNALS", "signals", "CLIENT", Main.options(client));
    // Nothing is sent: the plan is made, which reads every statement and knows every table.
    String plan = Main.explain("kafka", values);
    assertTrue(plan, plan.contains("default_database.results") && plan.contains("default_database.signals"));
  }
}
