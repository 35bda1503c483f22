import java.time.Duration;
import java.util.Map;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.Counter;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * The job of the live tests: source, keyed map, sink. Its first argument says how it behaves: "healthy" runs on,
 * "failing" throws after some records (second argument, 500) and gives up after some restarts (third argument, 2),
 * "slow" has one subtask that cannot keep up, so that the source is back-pressured.
 */
public final class StackJob {
  private static final int KEYS = 64;

  private StackJob() {}

  public static void main(String[] arguments) throws Exception {
    String mode = arguments.length > 0 ? arguments[0] : "healthy";
    long failAfter = arguments.length > 1 ? Long.parseLong(arguments[1]) : 500;
    int attempts = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 2;

    Configuration configuration = new Configuration();
    configuration.setString("restart-strategy.type", "fixed-delay");
    configuration.setString("restart-strategy.fixed-delay.attempts", String.valueOf(attempts));
    configuration.setString("restart-strategy.fixed-delay.delay", "1 s");
    configuration.setString("taskmanager.network.memory.buffers-per-channel", "2");

    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
    environment.setParallelism(2);
    environment.enableCheckpointing(Duration.ofSeconds(5).toMillis());
    environment
        .fromSequence(0, Long.MAX_VALUE - 1)
        .name("numbers")
        .uid("numbers")
        .map(new Pace(mode.equals("slow") ? 0 : 5))
        .name("pace")
        .uid("pace")
        .keyBy(number -> number % KEYS)
        .map(new CountPerKey(mode, failAfter))
        .name("count per key")
        .uid("count")
        .sinkTo(new DiscardingSink<>())
        .name("discard")
        .uid("discard");
    environment.execute("stack-" + mode);
  }

  /** Lets a record through every so many milliseconds. */
  private static final class Pace extends RichMapFunction<Long, Long> {
    private static final long serialVersionUID = 1L;
    private final int milliseconds;

    Pace(int milliseconds) {
      this.milliseconds = milliseconds;
    }

    @Override
    public Long map(Long number) throws Exception {
      if (milliseconds > 0) {
        Thread.sleep(milliseconds);
      }
      return number;
    }
  }

  /** Counts the records of each key in state, and misbehaves as the mode says. */
  private static final class CountPerKey extends RichMapFunction<Long, Map.Entry<Long, Long>> {
    private static final long serialVersionUID = 1L;
    private final String mode;
    private final long failAfter;
    private transient ValueState<Long> count;
    private transient Counter records;

    CountPerKey(String mode, long failAfter) {
      this.mode = mode;
      this.failAfter = failAfter;
    }

    @Override
    public void open(OpenContext context) {
      count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
      records = getRuntimeContext().getMetricGroup().counter("stackRecords");
    }

    @Override
    public Map.Entry<Long, Long> map(Long number) throws Exception {
      records.inc();
      if (mode.equals("failing") && records.getCount() >= failAfter) {
        fail(number);
      }
      if (mode.equals("slow") && getRuntimeContext().getTaskInfo().getIndexOfThisSubtask() == 1) {
        Thread.sleep(20);
      }
      Long before = count.value();
      long now = before == null ? 1 : before + 1;
      count.update(now);
      return Map.entry(number % KEYS, now);
    }

    private static void fail(long number) {
      try {
        parse("order-" + number);
      } catch (NumberFormatException cause) {
        throw new IllegalStateException("cannot enrich record " + number, cause);
      }
    }

    private static long parse(String text) {
      return Long.parseLong(text);
    }
  }
}
