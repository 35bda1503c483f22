import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/** Runs a script of Flink SQL to its end, or explains what it would run: `run FILE [OPTION=VALUE]...`, `explain FILE`. */
public final class FlinkContract {
    private static final Pattern SET = Pattern.compile("SET '(.*)' = '(.*)'");

    private FlinkContract() {}

    public static void main(String[] arguments) throws Exception {
        Configuration configuration = new Configuration();
        configuration.setString("parallelism.default", "2");
        for (int index = 2; index < arguments.length; index++) {
            String[] option = arguments[index].split("=", 2);
            configuration.setString(option[0], option[1]);
        }
        TableEnvironment environment = TableEnvironment.create(
                EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
        for (String statement : Files.readString(Path.of(arguments[1])).split(";\n")) {
            String sql = statement.replaceAll("(?m)^ *--.*$", "").trim();
            Matcher set = SET.matcher(sql);
            if (sql.isEmpty()) {
                continue;
            }
            if (set.matches()) {
                environment.getConfig().set(set.group(1), set.group(2));
            } else if (!sql.startsWith("INSERT")) {
                environment.executeSql(sql);
            } else if (arguments[0].equals("explain")) {
                System.out.println(environment.explainSql(sql));
            } else {
                environment.executeSql(sql).await();
            }
        }
    }
}
