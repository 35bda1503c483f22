import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/**
 * Counts files of events as golden_signals.sql says: arguments are pairs of a file and a folder for what is counted. Prints
 * for each pair what the job took by the clock and by the processors.
 */
public final class FlinkSql {
    private FlinkSql() {}

    public static void main(String[] arguments) throws Exception {
        String[] statements = Files.readString(Path.of(System.getProperty("statements"))).split(";");
        for (int pair = 0; pair + 1 < arguments.length; pair += 2) {
            TableEnvironment environment = environment();
            for (int number = 0; number < 2; number++) {
                environment.executeSql(statements[number].replace("$EVENTS", arguments[pair]).replace("$PANES", arguments[pair + 1]));
            }
            long clock = System.nanoTime();
            long processors = processors();
            environment.executeSql(statements[2]).await();
            System.out.printf(
                    "{\"file\":\"%s\",\"clock_s\":%.3f,\"processor_s\":%.3f}%n",
                    arguments[pair], (System.nanoTime() - clock) / 1e9, (processors() - processors) / 1e9);
        }
    }

    private static TableEnvironment environment() {
        Configuration configuration = new Configuration();
        configuration.setString("parallelism.default", "1");
        configuration.setString("pipeline.object-reuse", "true");
        return TableEnvironment.create(
                EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
    }

    /** Nanoseconds that this process was on processors: all its threads, the collector's too. */
    private static long processors() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }
}
