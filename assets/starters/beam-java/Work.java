package {{package}};

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.beam.sdk.metrics.Counter;
import org.apache.beam.sdk.metrics.Metrics;
import org.apache.beam.sdk.transforms.DoFn;
import org.apache.beam.sdk.transforms.PTransform;
import org.apache.beam.sdk.transforms.ParDo;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PCollectionTuple;
import org.apache.beam.sdk.values.TupleTag;
import org.apache.beam.sdk.values.TupleTagList;

/** The business logic: everything that is yours stands in {@link #work}. */
public final class Work extends PTransform<PCollection<String>, PCollectionTuple> {
  private static final long serialVersionUID = 1L;

  /** Records that were worked on. */
  public static final TupleTag<String> RESULTS = new TupleTag<>("results") {};

  /** An event for each record: when, how it went, how long it took. The golden signals are made of these. */
  public static final TupleTag<String> SIGNALS = new TupleTag<>("signals") {};

  /** What is done with one record; an exception counts as an error of the service, and the record is left out. */
  static JsonNode work(ObjectNode record) {
    if (!record.hasNonNull("id")) {
      throw new IllegalArgumentException("a record without id");
    }
    return record.put("seenBy", "{{name}}");
  }

  @Override
  public PCollectionTuple expand(PCollection<String> records) {
    return records.apply(ParDo.of(new Each()).withOutputTags(RESULTS, TupleTagList.of(SIGNALS)));
  }

  private static final class Each extends DoFn<String, String> {
    private static final long serialVersionUID = 1L;
    private static final ObjectMapper JSON = new ObjectMapper();
    private final Counter failed = Metrics.counter("{{name}}", "failed");

    @ProcessElement
    public void each(@Element String text, MultiOutputReceiver out) throws JsonProcessingException {
      long begun = System.nanoTime();
      int status = 200;
      try {
        out.get(RESULTS).output(JSON.writeValueAsString(work((ObjectNode) JSON.readTree(text))));
      } catch (JsonProcessingException | RuntimeException error) {
        failed.inc();
        status = 500;
      }
      ObjectNode signal = JSON.createObjectNode();
      signal.put("ts", System.currentTimeMillis()).put("svc", "{{name}}").put("status", status);
      signal.put("lat_us", Math.max(1, (System.nanoTime() - begun) / 1_000));
      out.get(SIGNALS).output(JSON.writeValueAsString(signal));
    }
  }
}
