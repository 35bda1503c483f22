package {{package}};

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.io.TextIO;
import org.apache.beam.sdk.io.kafka.KafkaIO;
import org.apache.beam.sdk.options.Description;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.options.PipelineOptionsFactory;
import org.apache.beam.sdk.transforms.Values;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PCollectionTuple;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** {{name}}: reads its input topics, does its work, and writes results and one event for its golden signals a record. */
public final class Main {
  private Main() {}

  /** A local run reads and writes files; without them it uses the Kafka that its environment gives. */
  public interface Options extends PipelineOptions {
    @Description("File of records to read instead of Kafka, one a line")
    String getInputFile();

    void setInputFile(String file);

    @Description("Beginning of the names of files to write instead of Kafka")
    String getOutputFile();

    void setOutputFile(String file);
  }

  public static void main(String[] arguments) throws IOException {
    Options options = PipelineOptionsFactory.fromArgs(arguments).withValidation().as(Options.class);
    Pipeline pipeline = Pipeline.create(options);
    if (options.getInputFile() != null) {
      PCollectionTuple done = pipeline.apply("read", TextIO.read().from(options.getInputFile())).apply("work", new Work());
      done.get(Work.RESULTS).apply("results", TextIO.write().to(options.getOutputFile() + "-results").withoutSharding());
      done.get(Work.SIGNALS).apply("signals", TextIO.write().to(options.getOutputFile() + "-signals").withoutSharding());
    } else {
      withKafka(pipeline);
    }
    pipeline.run().waitUntilFinish();
  }

  /** The environment says where Kafka is and who we are: two files whose places are in variables. */
  private static void withKafka(Pipeline pipeline) throws IOException {
    Map<String, Object> client = properties("FLOWDECK_KAFKA_CLIENT");
    Map<String, Object> topics = properties("FLOWDECK_KAFKA_TOPICS");
    String bootstrap = (String) client.get("bootstrap.servers");
    List<String> outputs = list(topics, "outputs");
    PCollection<String> records =
        pipeline
            .apply(
                "read",
                KafkaIO.<String, String>read()
                    .withBootstrapServers(bootstrap)
                    .withTopics(list(topics, "inputs"))
                    .withKeyDeserializer(StringDeserializer.class)
                    .withValueDeserializer(StringDeserializer.class)
                    .withConsumerConfigUpdates(client)
                    .commitOffsetsInFinalize()
                    .withoutMetadata())
            .apply("values", Values.create());
    PCollectionTuple done = records.apply("work", new Work());
    client.remove("group.id");
    write(done.get(Work.RESULTS), "results", bootstrap, outputs.get(0), client);
    write(done.get(Work.SIGNALS), "signals", bootstrap, outputs.get(1), client);
  }

  private static void write(
      PCollection<String> records, String name, String bootstrap, String topic, Map<String, Object> client) {
    records.apply(
        name,
        KafkaIO.<Void, String>write()
            .withBootstrapServers(bootstrap)
            .withTopic(topic)
            .withValueSerializer(StringSerializer.class)
            .withProducerConfigUpdates(client)
            .values());
  }

  private static List<String> list(Map<String, Object> topics, String name) {
    return Arrays.asList(((String) topics.get(name)).split(","));
  }

  private static Map<String, Object> properties(String variable) throws IOException {
    Properties properties = new Properties();
    try (Reader reader = Files.newBufferedReader(Path.of(System.getenv(variable)))) {
      properties.load(reader);
    }
    Map<String, Object> map = new HashMap<>();
    properties.forEach((name, value) -> map.put((String) name, value));
    return map;
  }
}
