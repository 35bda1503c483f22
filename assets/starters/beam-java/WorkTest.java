package {{package}};

import java.util.Arrays;
import org.apache.beam.sdk.testing.PAssert;
import org.apache.beam.sdk.testing.TestPipeline;
import org.apache.beam.sdk.transforms.Create;
import org.apache.beam.sdk.values.PCollectionTuple;
import org.junit.Assert;
import org.junit.Rule;
import org.junit.Test;

public final class WorkTest {
  @Rule public final transient TestPipeline pipeline = TestPipeline.create();

  @Test
  public void aRecordIsWorkedOnAndABrokenOneCountsAsAnError() {
    PCollectionTuple done =
        pipeline.apply(Create.of(Arrays.asList("{\"id\":7}", "no json", "{\"other\":1}"))).apply(new Work());
    PAssert.that(done.get(Work.RESULTS)).containsInAnyOrder("{\"id\":7,\"seenBy\":\"{{name}}\"}");
    PAssert.that(done.get(Work.SIGNALS))
        .satisfies(
            events -> {
              int failed = 0;
              int all = 0;
              for (String event : events) {
                all += 1;
                failed += event.contains("\"status\":500") ? 1 : 0;
              }
              Assert.assertEquals(3, all);
              Assert.assertEquals(2, failed);
              return null;
            });
    pipeline.run().waitUntilFinish();
  }
}
